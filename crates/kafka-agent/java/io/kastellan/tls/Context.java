package io.kastellan.tls;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import org.apache.kafka.common.security.ssl.DefaultSslEngineFactory;

/** Kafka's own factory with one content, and the engines of connections that it made. */
final class Context {
    /** Those that have connections. */
    private static final Set<Context> WITH_CONNECTIONS = ConcurrentHashMap.newKeySet();
    /** The smallest number of connections that end in one look. */
    private static final int AT_LEAST = 32;
    /** The part of the connections that ends in one look: all are gone after about ten looks. */
    private static final int PART = 10;

    final PemFiles files;
    final Material material;
    final DefaultSslEngineFactory engines;
    private final Map<SSLEngine, Boolean> made = new WeakHashMap<>();
    private int atOnce;

    Context(PemFiles files, Material material, DefaultSslEngineFactory engines) {
        this.files = files;
        this.material = material;
        this.engines = engines;
    }

    static Iterable<Context> withConnections() {
        return WITH_CONNECTIONS;
    }

    SSLEngine keep(SSLEngine engine) {
        synchronized (made) {
            made.put(engine, true);
            WITH_CONNECTIONS.add(this);
        }
        return engine;
    }

    /**
     * Ends a part of the connections, so that not all clients come back at once, if there is a newer content. Returns how many
     * connections with an older one were open at the beginning.
     */
    int endIfOlder() {
        List<SSLEngine> open;
        synchronized (made) {
            open = new ArrayList<>(made.keySet());
            if (open.isEmpty()) {
                WITH_CONNECTIONS.remove(this);
            }
        }
        if (material == files.known()) {
            return 0;
        }
        if (atOnce == 0) {
            atOnce = Math.max(AT_LEAST, open.size() / PART);
        }
        for (SSLEngine engine : open.subList(0, Math.min(atOnce, open.size()))) {
            end(engine);
            // Nothing passes it any more, also if Kafka notices that later.
            synchronized (made) {
                made.remove(engine);
            }
        }
        return open.size();
    }

    private static void end(SSLEngine engine) {
        // With the outbound side alone closed Kafka would still answer the next request.
        try {
            engine.closeInbound();
        } catch (SSLException expected) {
            // The peer has not said goodbye; the side is closed all the same.
        }
        engine.closeOutbound();
    }
}
