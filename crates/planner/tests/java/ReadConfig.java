// Reads properties files as a Kafka node does when it starts; the first one that is wrong ends it with the reason.

import java.io.FileReader;
import java.util.Properties;

import kafka.server.KafkaConfig;

public class ReadConfig {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            Properties properties = new Properties();
            try (FileReader reader = new FileReader(file)) {
                properties.load(reader);
            }
            KafkaConfig config = KafkaConfig.fromProps(properties, false);
            System.out.println("node " + config.nodeId() + " " + config.processRoles());
        }
    }
}
