package io.kastellan.tls;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.GeneralSecurityException;
import java.util.Collection;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.KafkaException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A key store and a trust store on disk, and the newest content of both that is of use. All factories of the JVM share it:
 * Kafka makes factories at run time too, and one that found a file half-written would keep its replica out of sync until the
 * next restart.
 *
 * <p>Taken is a content only as a whole: the key is that of the certificate, both files were the same before and after they
 * were read, and nothing gets worse by it ({@link Material#flawAfter}). Until then the former content stays in use.
 */
final class PemFiles {
    private static final Logger LOG = LoggerFactory.getLogger(PemFiles.class);
    private static final Map<String, PemFiles> ALL = new ConcurrentHashMap<>();
    /** How long the first content is waited for, in milliseconds, and how long each time. */
    private static final long PATIENCE = 5_000;
    private static final long PAUSE = 200;

    /** Path of the key store; {@code null}: there is none. The same for the trust store. */
    final String keyStore;
    final String trustStore;

    private final boolean allowsNameChanges;
    private Stamp seen;
    private volatile Material newest;
    private long loads;
    private long failures;
    private volatile String error;

    private PemFiles(String keyStore, String trustStore, boolean allowsNameChanges) {
        this.keyStore = keyStore;
        this.trustStore = trustStore;
        this.allowsNameChanges = allowsNameChanges;
    }

    static PemFiles of(String keyStore, String trustStore, boolean allowsNameChanges) {
        String name = keyStore + "\n" + trustStore + "\n" + allowsNameChanges;
        return ALL.computeIfAbsent(name, unused -> new PemFiles(keyStore, trustStore, allowsNameChanges));
    }

    static Collection<PemFiles> all() {
        return ALL.values();
    }

    /** The content for a new factory. The very first one is waited for. */
    synchronized Material first() {
        long end = System.nanoTime() + PATIENCE * 1_000_000;
        look(true);
        while (newest == null) {
            if (System.nanoTime() > end) {
                throw new KafkaException("TLS cannot be set up with " + this + ": " + error);
            }
            try {
                Thread.sleep(PAUSE);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
                throw new KafkaException("interrupted while waiting for " + this, interrupted);
            }
            look(true);
        }
        return newest;
    }

    /** The newest content, after a look whether the files changed. */
    Material newest() {
        look(false);
        return newest;
    }

    /** The newest content, without a look. */
    Material known() {
        return newest;
    }

    /** Reads the files if they changed; {@code again}: also if what was read the last time was of no use. */
    synchronized void look(boolean again) {
        try {
            Stamp before = Stamp.of(keyStore, trustStore);
            if (before.equals(seen) && !(again && error != null)) {
                return;
            }
            Material read = new Material(read(keyStore), read(trustStore));
            if (!Stamp.of(keyStore, trustStore).equals(before)) {
                failed("the files change right now");
                return;
            }
            seen = before;
            take(read);
        } catch (IOException | GeneralSecurityException | RuntimeException flaw) {
            failed(flaw instanceof IOException ? "cannot read " + flaw.getMessage() : flaw.getMessage());
        }
    }

    private void take(Material read) {
        if (newest != null && newest.sameAs(read)) {
            error = null;
            return;
        }
        String flaw = newest == null ? null : read.flawAfter(newest, allowsNameChanges, isOfNodes());
        if (flaw != null) {
            failed(flaw);
            return;
        }
        if (newest != null) {
            LOG.info("{} changed: new connections use the new content", this);
        }
        newest = read;
        error = null;
        loads++;
    }

    /** Notes why what is there is not in use. */
    private void failed(String why) {
        if (!Objects.equals(error, why)) {
            failures++;
            LOG.warn("{} is not taken, the former content stays in use: {}", this, why);
        }
        error = why;
    }

    String error() {
        return error;
    }

    synchronized long loads() {
        return loads;
    }

    synchronized long failures() {
        return failures;
    }

    /** Whether what is trusted are the nodes of the cluster themselves, and not its clients. */
    private boolean isOfNodes() {
        return trustStore != null && trustStore.equals(System.getProperty("kastellan.tls.nodes"));
    }

    private static byte[] read(String path) throws IOException {
        return path == null ? null : Files.readAllBytes(Path.of(path));
    }

    @Override
    public String toString() {
        if (keyStore == null) {
            return String.valueOf(trustStore);
        }
        return trustStore == null ? keyStore : keyStore + " with " + trustStore;
    }

    /** What tells two states of the files apart without reading them. The files of a Secret are links that are swapped. */
    private record Stamp(Object keyStore, long keyStoreSize, long keyStoreTime, Object trustStore, long trustStoreSize,
            long trustStoreTime) {
        static Stamp of(String keyStore, String trustStore) throws IOException {
            BasicFileAttributes one = attributes(keyStore);
            BasicFileAttributes other = attributes(trustStore);
            return new Stamp(
                    one == null ? null : one.fileKey(), one == null ? 0 : one.size(), time(one),
                    other == null ? null : other.fileKey(), other == null ? 0 : other.size(), time(other));
        }

        private static BasicFileAttributes attributes(String path) throws IOException {
            return path == null ? null : Files.readAttributes(Path.of(path), BasicFileAttributes.class);
        }

        private static long time(BasicFileAttributes attributes) {
            return attributes == null ? 0 : attributes.lastModifiedTime().to(TimeUnit.NANOSECONDS);
        }
    }
}
