package io.kastellan.tls;

import java.security.KeyStore;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import javax.net.ssl.SSLEngine;
import org.apache.kafka.common.config.SslConfigs;
import org.apache.kafka.common.config.types.Password;
import org.apache.kafka.common.security.auth.SslEngineFactory;
import org.apache.kafka.common.security.ssl.DefaultSslEngineFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * TLS of Kafka from PEM files that are read again when they change: of listeners, of clients between nodes, and of the
 * client of the metadata quorum, which Kafka itself never changes at run time.
 *
 * <p>Options: {@code ssl.keystore.location} and {@code ssl.truststore.location}, both of type PEM; either may be missing.
 * All others are those of Kafka's own factory, which makes the engines here too. {@link PemFiles} says which content is
 * taken. Connections that were made with an older content are ended little by little by the {@link Watcher}.
 */
public final class ReloadingSslEngineFactory implements SslEngineFactory {
    /** Whether the name in a certificate may change, as in Kafka itself ({@code true} or {@code false}, the default). */
    private static final String ALLOWS_NAME_CHANGES = "ssl.allow.dn.changes";

    private static final Logger LOG = LoggerFactory.getLogger(ReloadingSslEngineFactory.class);

    private Map<String, Object> options = Map.of();
    private PemFiles files;
    private volatile Context present;
    /** A content for which no context can be made; it is not tried again. */
    private volatile Material refused;

    @Override
    public void configure(Map<String, ?> configs) {
        options = new HashMap<>(configs);
        files = PemFiles.of(
                text(SslConfigs.SSL_KEYSTORE_LOCATION_CONFIG),
                text(SslConfigs.SSL_TRUSTSTORE_LOCATION_CONFIG),
                Boolean.parseBoolean(String.valueOf(options.get(ALLOWS_NAME_CHANGES))));
        Context first = context(files.first());
        present = first;
        Watcher.add(this);
    }

    @Override
    public SSLEngine createClientSslEngine(String host, int port, String endpointIdentification) {
        Context context = newest();
        return context.keep(context.engines.createClientSslEngine(host, port, endpointIdentification));
    }

    @Override
    public SSLEngine createServerSslEngine(String host, int port) {
        Context context = newest();
        return context.keep(context.engines.createServerSslEngine(host, port));
    }

    /** Another factory is needed for other options alone: this one sees by itself that a file changed. */
    @Override
    public boolean shouldBeRebuilt(Map<String, Object> nextConfigs) {
        Set<String> names = new HashSet<>(SslConfigs.RECONFIGURABLE_CONFIGS);
        names.addAll(SslConfigs.NON_RECONFIGURABLE_CONFIGS);
        names.add(ALLOWS_NAME_CHANGES);
        return names.stream().anyMatch(name -> !Objects.equals(options.get(name), nextConfigs.get(name)));
    }

    @Override
    public Set<String> reconfigurableConfigs() {
        return SslConfigs.RECONFIGURABLE_CONFIGS;
    }

    @Override
    public KeyStore keystore() {
        return newest().engines.keystore();
    }

    @Override
    public KeyStore truststore() {
        return newest().engines.truststore();
    }

    /** Connections may outlive their factory; the {@link Watcher} looks after them. */
    @Override
    public void close() {
        present.engines.close();
    }

    PemFiles files() {
        return files;
    }

    /** The context with the newest content that is of use. */
    Context newest() {
        Material material = files.newest();
        Context known = present;
        return known.material == material || refused == material ? known : replace();
    }

    private synchronized Context replace() {
        Material material = files.known();
        if (present.material == material || refused == material) {
            return present;
        }
        try {
            present = context(material);
        } catch (RuntimeException error) {
            // The files were checked, so that this is about an option of this factory, such as its cipher suites.
            refused = material;
            LOG.warn("{}: the new content cannot be used, the former one stays in use", files, error);
        }
        return present;
    }

    /** A new context, and with it a new cache of sessions: a resumed session is not checked against the new trust. */
    private Context context(Material material) {
        Map<String, Object> all = new HashMap<>(options);
        all.remove(SslConfigs.SSL_KEYSTORE_LOCATION_CONFIG);
        all.remove(SslConfigs.SSL_TRUSTSTORE_LOCATION_CONFIG);
        if (material.key != null) {
            all.put(SslConfigs.SSL_KEYSTORE_TYPE_CONFIG, DefaultSslEngineFactory.PEM_TYPE);
            all.put(SslConfigs.SSL_KEYSTORE_KEY_CONFIG, new Password(material.key));
            all.put(SslConfigs.SSL_KEYSTORE_CERTIFICATE_CHAIN_CONFIG, new Password(material.chain));
        }
        if (material.trusted != null) {
            all.put(SslConfigs.SSL_TRUSTSTORE_TYPE_CONFIG, DefaultSslEngineFactory.PEM_TYPE);
            all.put(SslConfigs.SSL_TRUSTSTORE_CERTIFICATES_CONFIG, new Password(material.trusted));
        }
        DefaultSslEngineFactory engines = new DefaultSslEngineFactory();
        engines.configure(all);
        return new Context(files, material, engines);
    }

    private String text(String option) {
        Object value = options.get(option);
        return value == null || value.toString().isEmpty() ? null : value.toString();
    }
}
