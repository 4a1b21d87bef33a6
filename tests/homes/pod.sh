#!/bin/sh
# Runs a program as another user on the mounts of one container, in a mount namespace of its own (unshare -m, as root):
#   pod.sh FOLDER UID GROUPS BRIDGE PROGRAM WORD...   GROUPS as setpriv takes them; the first group is 0, as in OpenShift
# BRIDGE is the executable of the bridge, which is /run/bridge there: its own folder may be closed to other users.
# FOLDER/mounts has one mount a line, made in this order:
#   emptydir POINT MODE OWNER [FROM]   a folder of the pod on its node; FROM is copied into it
#   memory POINT MODE OWNER [FROM]     the same in memory
#   small POINT MODE OWNER             the same, with room for 16 KiB
#   volume POINT MODE OWNER [FROM]     a folder of the node that outlives the pod
#   folder POINT MODE OWNER            a folder of the container's own file system
#   file POINT MODE OWNER FROM         one file, mounted over another
#   read-only POINT                    what is mounted there cannot be written any more
#   pod                                the file that a kubelet mounts into each container
set -eu
folder=$1
uid=$2
groups=$3
bridge=$4
shift 4
root=$folder/root
pod=$folder/node/kubelet/pods/0f3a2b1c-1111-4222-8333-444455556666
mkdir -p "$root" "$pod/volumes/kubernetes.io~empty-dir" "$folder/node/volumes"
mount --make-rprivate /
mount --rbind / "$root"
for own in run srv; do mount -t tmpfs -o mode=0755 tmpfs "$root/$own"; done
: >"$root/run/bridge"
mount --bind "$bridge" "$root/run/bridge"
count=0
while read -r kind point mode owner from; do
  count=$((count + 1))
  case $kind in emptydir | memory | small | volume | folder) mkdir -p "$root$point" ;; esac
  source=$pod/volumes/kubernetes.io~empty-dir/v$count
  case $kind in
  emptydir) ;;
  volume) source=$folder/node/volumes/v$count ;;
  memory | small) source=$root$point ;;
  folder) source=$root$point ;;
  file)
    source=$from
    from=
    mkdir -p "$(dirname "$root$point")"
    : >"$root$point"
    ;;
  read-only)
    mount -o remount,bind,ro "$root$point"
    continue
    ;;
  pod)
    cp /etc/hosts "$pod/etc-hosts"
    mount --bind "$pod/etc-hosts" "$root/etc/hosts"
    continue
    ;;
  *) exit 64 ;;
  esac
  case $kind in
  memory) mount -t tmpfs tmpfs "$source" ;;
  small) mount -t tmpfs -o size=16k tmpfs "$source" ;;
  esac
  [ -e "$source" ] || mkdir -p "$source"
  [ -z "$from" ] || cp -a "$from/." "$source/"
  chown "$owner" "$source"
  chmod "$mode" "$source"
  case $kind in emptydir | volume | file) mount --bind "$source" "$root$point" ;; esac
done <"$folder/mounts"
exec chroot "$root" setpriv --reuid "$uid" --regid 0 --groups "$groups" "$@"
