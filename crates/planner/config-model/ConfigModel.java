// Prints the configuration model of the Kafka version whose jars are on the class path, as JSON.
// Run it with ./generate.sh; the output is checked in.

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

import kafka.server.KafkaConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigDef.ConfigKey;
import org.apache.kafka.common.config.ConfigDef.Validator;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.common.MetadataVersion;

public class ConfigModel {
    public static void main(String[] arguments) throws Exception {
        Map<String, ConfigKey> keys = new TreeMap<>(KafkaConfig.configDef().configKeys());
        StringBuilder out = new StringBuilder();
        out.append("{\n\"version\": ").append(text(arguments[0])).append(",\n");
        out.append("\"metadataVersions\": [");
        List<String> levels = new ArrayList<>();
        for (MetadataVersion version : MetadataVersion.VERSIONS) {
            if (version.compareTo(MetadataVersion.latestProduction()) <= 0) {
                levels.add("[" + text(version.version()) + "," + version.featureLevel() + "]");
            }
        }
        out.append(String.join(",", levels)).append("],\n");
        out.append("\"defaultMetadataVersion\": ").append(text(MetadataVersion.latestProduction().version())).append(",\n");
        out.append("\"features\": {");
        List<String> features = new ArrayList<>();
        for (Feature feature : Feature.PRODUCTION_FEATURES) {
            features.add(text(feature.featureName()) + ":" + feature.latestProduction());
        }
        features.sort(null);
        out.append(String.join(",", features)).append("},\n");
        out.append("\"options\": {\n");
        List<String> lines = new ArrayList<>();
        for (ConfigKey key : keys.values()) {
            lines.add(text(key.name) + ": " + describe(key));
        }
        out.append(String.join(",\n", lines)).append("\n}\n}\n");
        System.out.print(out);
    }

    private static String describe(ConfigKey key) throws Exception {
        List<String> parts = new ArrayList<>();
        parts.add("\"type\":" + text(key.type.name().toLowerCase()));
        parts.add("\"scope\":" + text(scope(key.name)));
        if (key.hasDefault() && key.defaultValue != null && key.type != ConfigDef.Type.PASSWORD) {
            parts.add("\"default\":" + text(ConfigDef.convertToString(key.defaultValue, key.type)));
        }
        if (key.validator != null) {
            constraint(key, parts);
        }
        return "{" + String.join(",", parts) + "}";
    }

    private static void constraint(ConfigKey key, List<String> parts) throws Exception {
        Validator validator = key.validator;
        switch (validator.getClass().getSimpleName()) {
            case "Range" -> {
                Object min = field(validator, "min");
                Object max = field(validator, "max");
                if (min != null) {
                    parts.add("\"min\":" + min);
                }
                if (max != null) {
                    parts.add("\"max\":" + max);
                }
            }
            case "ValidString" -> parts.add("\"values\":" + list((List<?>) field(validator, "validStrings")));
            case "CaseInsensitiveValidString" -> {
                parts.add("\"values\":" + list(new ArrayList<>(new java.util.TreeSet<>((Set<?>) field(validator, "validStrings")))));
                parts.add("\"ignoreCase\":true");
            }
            case "NonEmptyString" -> parts.add("\"nonEmpty\":true");
            case "LambdaValidator" -> {
                if (key.type == ConfigDef.Type.INT) {
                    parts.add("\"values\":" + list(accepted(key)));
                }
            }
            case "ValidList" -> {
                if (!(boolean) field(validator, "isEmptyAllowed")) {
                    parts.add("\"nonEmpty\":true");
                }
                Object inner = field(validator, "validString");
                if (inner != null) {
                    List<?> allowed = (List<?>) field(inner, "validStrings");
                    if (!allowed.isEmpty()) {
                        parts.add("\"items\":" + list(allowed));
                    }
                }
            }
            default -> { }
        }
    }

    /** The numbers that a rule without a name lets through, when they are few. */
    private static List<Integer> accepted(ConfigKey key) throws Exception {
        List<Integer> found = new ArrayList<>();
        for (int number = -1000; number <= 1000; number++) {
            try {
                key.validator.ensureValid(key.name, number);
                found.add(number);
            } catch (ConfigException e) {
                continue;
            }
        }
        if (found.isEmpty() || found.size() > 50) {
            throw new Exception("the rule of " + key.name + " is no list of a few numbers: " + key.validator);
        }
        return found;
    }

    private static String scope(String name) throws Exception {
        // Kafka's own table: name to "per-broker" or "cluster-wide".
        String mode = updateModes().get(name);
        if (mode != null) {
            return mode;
        }
        return "read-only";
    }

    /** The table moved from a Scala object to a Java class in 4.3. */
    @SuppressWarnings("unchecked")
    private static Map<String, String> updateModes() throws Exception {
        try {
            Class<?> owner = Class.forName("org.apache.kafka.server.config.DynamicBrokerConfig");
            return (Map<String, String>) owner.getMethod("dynamicConfigUpdateModes").invoke(null);
        } catch (ClassNotFoundException e) {
            Class<?> owner = Class.forName("kafka.server.DynamicBrokerConfig$");
            Object module = owner.getField("MODULE$").get(null);
            return (Map<String, String>) owner.getMethod("dynamicConfigUpdateModes").invoke(module);
        }
    }

    private static Object field(Object owner, String name) throws Exception {
        Field field = owner.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(owner);
    }

    private static String list(List<?> values) {
        List<String> parts = new ArrayList<>();
        for (Object value : values) {
            parts.add(text(String.valueOf(value)));
        }
        return "[" + String.join(",", parts) + "]";
    }

    private static String text(String value) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : value.toCharArray()) {
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                default -> out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
