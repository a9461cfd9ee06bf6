// Says of values of options whether Kafka would start with them. Reads lines of a name, a tab and a value;
// prints one line for each: "yes" or "no", a tab, and Kafka's words.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

import kafka.server.KafkaConfig;
import org.apache.kafka.common.config.ConfigException;

public class JudgeOptions {
    /** Options without which no value is judged. */
    private static final Map<String, String> REQUIRED = Map.of(
        "process.roles", "broker",
        "node.id", "1",
        "controller.listener.names", "C",
        "controller.quorum.bootstrap.servers", "localhost:1");

    public static void main(String[] arguments) throws Exception {
        KafkaConfig.configDef().parse(REQUIRED);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            int tab = line.indexOf('\t');
            Map<String, String> options = new HashMap<>(REQUIRED);
            options.put(line.substring(0, tab), line.substring(tab + 1));
            try {
                KafkaConfig.configDef().parse(options);
                System.out.println("yes\t");
            } catch (ConfigException e) {
                System.out.println("no\t" + String.valueOf(e.getMessage()).replace('\n', ' '));
            }
        }
    }
}
