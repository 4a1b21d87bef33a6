package interop;

import org.springframework.ai.mcp.annotation.McpTool;
import org.springframework.ai.mcp.annotation.McpToolParam;
import org.springframework.ai.mcp.annotation.context.McpSyncRequestContext;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.stereotype.Component;

/** An MCP server of Spring AI with the three tools that every server of this suite has. */
@SpringBootApplication
public class Main {
  public static void main(String[] words) {
    SpringApplication.run(Main.class, words);
  }

  record Name(String name) {}

  @Component
  static class Tools {
    @McpTool(name = "add", description = "Adds two numbers.")
    String add(@McpToolParam int a, @McpToolParam int b) {
      return String.valueOf(a + b);
    }

    @McpTool(name = "log", description = "Sends a log message before its result.")
    String log(McpSyncRequestContext context) {
      context.info("working");
      return "logged";
    }

    @McpTool(name = "ask", description = "Asks the user for a name.")
    String ask(McpSyncRequestContext context) {
      var answer = context.elicit(spec -> spec.message("Who are you?"), Name.class);
      return "hello " + answer.structuredContent().name();
    }
  }
}
