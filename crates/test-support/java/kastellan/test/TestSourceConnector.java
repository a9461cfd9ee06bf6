package kastellan.test;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.Config;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.source.SourceConnector;

/** A source without records, which does what its option "does" says. */
public class TestSourceConnector extends SourceConnector {
    private Map<String, String> options;

    @Override
    public String version() {
        return "7.1";
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef()
            .define("does", ConfigDef.Type.STRING, "work", ConfigDef.Importance.HIGH, "What it does.")
            .define("flag", ConfigDef.Type.STRING, "", ConfigDef.Importance.LOW, "While this file exists, a task fails.")
            .define("number", ConfigDef.Type.INT, 1, ConfigDef.Importance.LOW, "A number.");
    }

    @Override
    public Config validate(Map<String, String> given) {
        if ("hang-validation".equals(given.get("does"))) {
            sleep();
        }
        return super.validate(given);
    }

    @Override
    public void start(Map<String, String> given) {
        options = given;
        if ("hang-start".equals(given.get("does"))) {
            sleep();
        }
        if ("fail-start".equals(given.get("does"))) {
            throw new ConnectException("it does not start", new IllegalStateException("because of a test"));
        }
    }

    @Override
    public Class<? extends Task> taskClass() {
        return TestSourceTask.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int most) {
        List<Map<String, String>> tasks = new ArrayList<>();
        for (int task = 0; task < most; task++) {
            tasks.add(options);
        }
        return tasks;
    }

    @Override
    public void stop() {
    }

    @Override
    public boolean alterOffsets(Map<String, String> given, Map<Map<String, ?>, Map<String, ?>> offsets) {
        return true;
    }

    private static void sleep() {
        try {
            Thread.sleep(600_000);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
