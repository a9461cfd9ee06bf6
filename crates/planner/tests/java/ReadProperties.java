// Reads properties files as Kafka and Log4j do, from bytes, and prints every entry: file, name and value, each as the
// hexadecimal digits of its UTF-16 code units.

import java.io.FileInputStream;
import java.util.Properties;

public class ReadProperties {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            Properties properties = new Properties();
            try (FileInputStream stream = new FileInputStream(file)) {
                properties.load(stream);
            }
            for (String name : properties.stringPropertyNames()) {
                System.out.println("entry " + hex(file) + " " + hex(name) + " " + hex(properties.getProperty(name)));
            }
        }
    }

    private static String hex(String text) {
        StringBuilder digits = new StringBuilder("x");
        for (char unit : text.toCharArray()) {
            digits.append(String.format("%04x", (int) unit));
        }
        return digits.toString();
    }
}
