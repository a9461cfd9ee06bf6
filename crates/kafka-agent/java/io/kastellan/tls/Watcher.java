package io.kastellan.tls;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread of the JVM that looks after all factories: files that changed are taken up also where no connection is made,
 * connections with older content end, and a file tells the agent what is in use.
 *
 * <p>The file is named by the system property {@code kastellan.tls.status}; without it none is written. It is JSON: a list
 * with an object for each pair of a key store and a trust store. It has no secrets.
 */
final class Watcher implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(Watcher.class);
    /** Between two looks, in milliseconds. */
    private static final long PAUSE = 5_000;
    /** Kafka makes factories that it drops without a word. */
    private static final Set<ReloadingSslEngineFactory> FACTORIES =
            Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));
    private static final Object LOCK = new Object();
    private static Watcher watcher;

    private final Path status;
    private String written = "";

    private Watcher(Path status) {
        this.status = status;
    }

    static void add(ReloadingSslEngineFactory factory) {
        FACTORIES.add(factory);
        synchronized (LOCK) {
            if (watcher == null) {
                String path = System.getProperty("kastellan.tls.status");
                watcher = new Watcher(path == null ? null : Path.of(path));
                Thread thread = new Thread(watcher, "kastellan-tls");
                thread.setDaemon(true);
                thread.start();
            }
        }
    }

    @Override
    public void run() {
        while (true) {
            try {
                look();
                Thread.sleep(PAUSE);
            } catch (InterruptedException ended) {
                return;
            } catch (IOException | RuntimeException error) {
                LOG.warn("cannot tell which certificates are in use", error);
                try {
                    Thread.sleep(PAUSE);
                } catch (InterruptedException ended) {
                    return;
                }
            }
        }
    }

    private void look() throws IOException {
        Map<PemFiles, int[]> use = new LinkedHashMap<>();
        Map<PemFiles, Material> looked = new LinkedHashMap<>();
        for (PemFiles files : PemFiles.all()) {
            files.look(true);
            looked.put(files, files.known());
        }
        List<ReloadingSslEngineFactory> factories;
        synchronized (FACTORIES) {
            factories = new ArrayList<>(FACTORIES);
        }
        for (ReloadingSslEngineFactory factory : factories) {
            int[] counts = use.computeIfAbsent(factory.files(), unused -> new int[2]);
            counts[0]++;
            if (factory.newest().material != factory.files().known()) {
                counts[1]++;
            }
        }
        for (Context context : Context.withConnections()) {
            use.computeIfAbsent(context.files, unused -> new int[2])[1] += context.endIfOlder();
        }
        // What changed meanwhile was not counted; the next look does.
        boolean isStill = use.keySet().stream().allMatch(files -> files.known() == looked.get(files));
        if (status != null && isStill) {
            write(text(use));
        }
    }

    private static String text(Map<PemFiles, int[]> use) {
        StringBuilder text = new StringBuilder("[");
        for (Map.Entry<PemFiles, int[]> entry : use.entrySet()) {
            PemFiles files = entry.getKey();
            Material material = files.known();

            text.append(text.length() == 1 ? "{" : ",{");
            field(text, "keyStore", files.keyStore).append(',');
            field(text, "keyStoreSha256", material.keyStoreHash).append(',');
            field(text, "trustStore", files.trustStore).append(',');
            field(text, "trustStoreSha256", material.trustStoreHash).append(',');
            field(text, "error", files.error()).append(',');
            text.append("\"factories\":").append(entry.getValue()[0]);
            text.append(",\"older\":").append(entry.getValue()[1]);
            text.append(",\"loads\":").append(files.loads());
            text.append(",\"failures\":").append(files.failures()).append('}');
        }
        return text.append("]\n").toString();
    }

    private static StringBuilder field(StringBuilder text, String name, String value) {
        text.append('"').append(name).append("\":");
        if (value == null) {
            return text.append("null");
        }
        text.append('"');
        for (char c : value.toCharArray()) {
            if (c == '"' || c == '\\') {
                text.append('\\').append(c);
            } else if (c < ' ') {
                text.append(' ');
            } else {
                text.append(c);
            }
        }
        return text.append('"');
    }

    private void write(String text) throws IOException {
        if (text.equals(written)) {
            return;
        }
        Path next = status.resolveSibling(status.getFileName() + ".next");
        Files.write(next, text.getBytes(StandardCharsets.UTF_8));
        Files.move(next, status, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        written = text;
    }
}
