/** The text of `--help_tls`: a sample block and the names that its lists take. */
import { CURVES, INSECURE_CIPHER_SUITES, SECURE_CIPHER_SUITES } from "./schema/tls.ts";

export function tlsHelpText(): string {
  const lines = (names: readonly string[]): string => names.map((name) => `    ${name}`).join("\n");
  return `TLS configuration is specified in the tls section of a configuration file:

e.g.

    tls {
        cert_file:      "./certs/server-cert.pem"
        key_file:       "./certs/server-key.pem"
        ca_file:        "./certs/ca.pem"
        verify:         true
        verify_and_map: true

        cipher_suites: [
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
        ]
        curve_preferences: [
            "CurveP256",
            "CurveP384",
            "CurveP521"
        ]
    }

Available cipher suites include:
${lines([...SECURE_CIPHER_SUITES, ...INSECURE_CIPHER_SUITES])}

Available curve preferences include:
${lines(CURVES)}

OCSP, for stapling and for the certificates of peers, is not in this version.
`;
}
