package kastellan.test;

import java.io.File;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;

/** A task without records; it fails while the file of its option "flag" exists. */
public class TestSourceTask extends SourceTask {
    private String flag;

    @Override
    public String version() {
        return "7.1";
    }

    @Override
    public void start(Map<String, String> options) {
        flag = options.getOrDefault("flag", "");
    }

    @Override
    public List<SourceRecord> poll() throws InterruptedException {
        if (!flag.isEmpty() && new File(flag).exists()) {
            throw new ConnectException("the flag is up");
        }
        Thread.sleep(100);
        return null;
    }

    @Override
    public void stop() {
    }
}
