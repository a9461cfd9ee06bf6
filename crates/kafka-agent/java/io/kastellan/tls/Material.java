package io.kastellan.tls;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The content of a key store and of a trust store, each in PEM; either may be missing ({@code null}). */
final class Material {
    private static final Pattern BLOCK =
            Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----\\s*([A-Za-z0-9+/=\\s]+?)\\s*-----END \\1-----");
    private static final String CERTIFICATE = "CERTIFICATE";
    private static final String KEY = "PRIVATE KEY";

    /** The private key in PEM. */
    final String key;
    /** The certificate of the key, and those of authorities between it and a trusted one, in PEM. */
    final String chain;
    /** The trusted authorities in PEM. */
    final String trusted;
    /** SHA-256 of the two files. */
    final String keyStoreHash;
    final String trustStoreHash;

    private final List<X509Certificate> certificates;
    private final List<X509Certificate> authorities;

    /** Reads and checks both. What is wrong is told without a word of what stands in a file. */
    Material(byte[] keyStore, byte[] trustStore) throws GeneralSecurityException {
        keyStoreHash = hash(keyStore);
        trustStoreHash = hash(trustStore);
        if (keyStore == null) {
            key = null;
            chain = null;
            certificates = List.of();
        } else {
            List<Block> blocks = blocks(keyStore, "the key store");
            key = pem(blocks, KEY);
            chain = pem(blocks, CERTIFICATE);
            certificates = certificates(blocks, "the key store");
            checkKey(blocks, certificates.get(0));
        }
        if (trustStore == null) {
            trusted = null;
            authorities = List.of();
        } else {
            List<Block> blocks = blocks(trustStore, "the trust store");
            trusted = pem(blocks, CERTIFICATE);
            authorities = certificates(blocks, "the trust store");
        }
    }

    /**
     * Why this may not take the place of a former content that was in use; {@code null}: it may. What the former content
     * did not fulfil either is no reason. {@code isOfNodes}: the trust store has the authority of the nodes.
     */
    String flawAfter(Material former, boolean allowsNameChanges, boolean isOfNodes) {
        if (key == null || former.key == null) {
            return null;
        }
        if (!isValid() && former.isValid()) {
            return "its certificate is not valid at this time";
        }
        if (!allowsNameChanges && !leaf().getSubjectX500Principal().equals(former.leaf().getSubjectX500Principal())) {
            return "its certificate has another subject than the one in use";
        }
        // Nodes show one another a leaf that they themselves accept.
        if (isOfNodes && !isTrusted() && former.isTrusted()) {
            return "its certificate is of no authority in the trust store";
        }
        return null;
    }

    boolean sameAs(Material other) {
        return keyStoreHash.equals(other.keyStoreHash) && trustStoreHash.equals(other.trustStoreHash);
    }

    private X509Certificate leaf() {
        return certificates.get(0);
    }

    private boolean isValid() {
        try {
            leaf().checkValidity();
            return true;
        } catch (GeneralSecurityException ended) {
            return false;
        }
    }

    /** Whether the leaf leads to a trusted authority; whether it has ended is asked elsewhere. */
    private boolean isTrusted() {
        if (authorities.isEmpty()) {
            return false;
        }
        try {
            Set<TrustAnchor> anchors = new HashSet<>();
            for (X509Certificate authority : authorities) {
                anchors.add(new TrustAnchor(authority, null));
            }
            PKIXParameters parameters = new PKIXParameters(anchors);
            parameters.setRevocationEnabled(false);
            parameters.setDate(leaf().getNotAfter());
            // A chain may end with the authority itself, which is no part of the path to it.
            List<X509Certificate> path = new ArrayList<>();
            for (X509Certificate certificate : certificates) {
                if (authorities.contains(certificate)) {
                    break;
                }
                path.add(certificate);
            }
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            CertPathValidator.getInstance("PKIX").validate(factory.generateCertPath(path), parameters);
            return true;
        } catch (GeneralSecurityException unknown) {
            return false;
        }
    }

    private static void checkKey(List<Block> blocks, X509Certificate leaf) throws GeneralSecurityException {
        byte[] encoded = blocks.stream().filter(block -> block.type.equals(KEY)).findFirst()
                .map(block -> block.content)
                .orElseThrow(() -> new GeneralSecurityException("the key store has no PRIVATE KEY in PKCS #8"));
        String algorithm = leaf.getPublicKey().getAlgorithm();
        String signing = switch (algorithm) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> algorithm;
        };
        byte[] sample = new byte[32];
        boolean fits;
        try {
            PrivateKey secret = KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(encoded));
            Signature signature = Signature.getInstance(signing);
            signature.initSign(secret);
            signature.update(sample);
            byte[] signed = signature.sign();
            signature.initVerify(leaf.getPublicKey());
            signature.update(sample);
            fits = signature.verify(signed);
        } catch (GeneralSecurityException error) {
            fits = false;
        }
        if (!fits) {
            throw new GeneralSecurityException("the key in the key store is not that of its certificate");
        }
    }

    private static List<X509Certificate> certificates(List<Block> blocks, String where) throws GeneralSecurityException {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<X509Certificate> all = new ArrayList<>();
        for (Block block : blocks) {
            if (block.type.equals(CERTIFICATE)) {
                all.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(block.content)));
            }
        }
        if (all.isEmpty()) {
            throw new GeneralSecurityException(where + " has no certificate");
        }
        return all;
    }

    /** All of one type in PEM; {@code null}: there is none. */
    private static String pem(List<Block> blocks, String type) {
        StringBuilder text = new StringBuilder();
        Base64.Encoder encoder = Base64.getMimeEncoder(64, new byte[] {'\n'});
        for (Block block : blocks) {
            if (block.type.equals(type)) {
                text.append("-----BEGIN ").append(type).append("-----\n");
                text.append(encoder.encodeToString(block.content));
                text.append("\n-----END ").append(type).append("-----\n");
            }
        }
        return text.isEmpty() ? null : text.toString();
    }

    private static List<Block> blocks(byte[] content, String where) throws GeneralSecurityException {
        String text = new String(content, StandardCharsets.ISO_8859_1);
        List<Block> blocks = new ArrayList<>();
        Matcher matcher = BLOCK.matcher(text);
        while (matcher.find()) {
            try {
                blocks.add(new Block(matcher.group(1), Base64.getMimeDecoder().decode(matcher.group(2))));
            } catch (IllegalArgumentException error) {
                throw new GeneralSecurityException(where + " is not PEM");
            }
        }
        int begun = text.split("-----BEGIN ", -1).length - 1;
        if (begun != blocks.size()) {
            throw new GeneralSecurityException(where + " is cut off: " + begun + " parts begin, " + blocks.size() + " are whole");
        }
        return blocks;
    }

    private static String hash(byte[] content) throws GeneralSecurityException {
        return content == null ? "" : HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    }

    private record Block(String type, byte[] content) {}
}
