#!/bin/sh
# Makes the certificates below tests/fault/certificates anew: a private CA and what it signs.
# They are committed, so that tests need no openssl; their keys protect nothing.
set -eu
cd "$(dirname "$0")/../tests/fault/certificates"
rm -f ./*.pem ./*.key

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }

# name, subject, extensions, start, end
sign() {
  key "$1"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  printf '%s\n' "$3" >"$1.ext"
  openssl ca -batch -notext -config ca.cnf -in "$1.csr" -out "$1.pem" -extfile "$1.ext" \
    -startdate "$4" -enddate "$5" 2>/dev/null
  rm -f "$1.csr" "$1.ext"
}

key ca
openssl req -x509 -new -key ca.key -subj "/CN=Bridge test CA" -days 36500 -out ca.pem
cat >ca.cnf <<'CNF'
[ca]
default_ca = own
[own]
database = ca.index
serial = ca.serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
CNF
: >ca.index
echo 1000 >ca.serial

own="subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
from=20250101000000Z
to=21241231235959Z
sign good "/CN=localhost" "$own" "$from" "$to"
sign expired "/CN=localhost" "$own" "$from" 20250201000000Z
sign elsewhere "/CN=elsewhere.example" "subjectAltName=DNS:elsewhere.example" "$from" "$to"
sign client "/CN=bridge" "extendedKeyUsage=clientAuth" "$from" "$to"
key selfsigned
openssl req -x509 -new -key selfsigned.key -subj "/CN=localhost" -days 36500 -addext "$own" \
  -out selfsigned.pem
key proxied
openssl req -x509 -new -key proxied.key -subj "/CN=127.0.0.2" -days 36500 \
  -addext "subjectAltName=IP:127.0.0.2" -out proxied.pem
rm -f ca.cnf ca.index* ca.serial* ca.key 1???.pem
