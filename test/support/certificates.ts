/**
 * Certificates for tests, made once per test process with the `openssl` command in a temporary folder. Each entity is a
 * pair NAME.pem and NAME-key.pem; ca.pem is the authority that signed them. Keys are P-256: making them takes
 * milliseconds.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHash, X509Certificate } from 'node:crypto';
import { temporaryFolder } from './temporary.ts';

/** What distinguishes one test certificate from another. */
export interface CertificateSpec {
  /** Subject as openssl writes it: `/O=NATS/CN=example`. Multi-valued RDNs are written with `+`. */
  readonly subject: string;
  /** Subject alternative names as openssl writes them: `DNS:localhost,IP:127.0.0.1`. */
  readonly names?: string;
  /** Extended key usages; default both serverAuth and clientAuth. */
  readonly usage?: string;
  /** Signed by itself instead of by the test authority. */
  readonly selfSigned?: boolean;
}

/** The certificates that every test may use, by file name. */
export const CERTIFICATES: Readonly<Record<string, CertificateSpec>> = {
  server: { subject: '/O=NATS/CN=localhost', names: 'DNS:localhost,IP:127.0.0.1,IP:::1' },
  'server-2': { subject: '/O=NATS/CN=second', names: 'DNS:localhost,IP:127.0.0.1' },
  client: { subject: '/O=NATS/CN=plain client' },
  'client-email': { subject: '/O=NATS/CN=mail', names: 'email:derek@nats.io' },
  'client-dns': { subject: '/O=NATS/CN=dns', names: 'DNS:app.nats.dev' },
  'client-uri': { subject: '/O=NATS/CN=uri', names: 'URI:spiffe://localhost/my-nats-service/user-a' },
  'client-many': { subject: '/O=NATS/CN=many', names: 'email:both@nats.io,DNS:both.nats.dev,URI:spiffe://localhost/both' },
  'client-dn': { subject: '/DC=com/DC=example/O=NATS/OU=Engineering/CN=Bob' },
  'client-multi': { subject: '/O=NATS/OU=Ops+CN=Eve' },
  stranger: { subject: '/O=Elsewhere/CN=stranger', selfSigned: true },
};

let made: string | undefined;

function openssl(folder: string, ...args: readonly string[]): void {
  const result = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${result.stderr || String(result.error)}`);
}

function newKey(folder: string, name: string): void {
  openssl(folder, 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}-key.pem`);
}

function makeAuthority(folder: string): void {
  newKey(folder, 'ca');
  openssl(folder, 'req', '-x509', '-new', '-key', 'ca-key.pem', '-days', '30', '-subj', '/O=NATS/CN=Test CA', '-out', 'ca.pem',
    '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign');
}

/** Makes NAME.pem and NAME-key.pem in a folder that already holds the authority (see {@link certificateFolder}). */
export function makeCertificate(folder: string, name: string, spec: CertificateSpec): void {
  newKey(folder, name);
  const extensions = [`extendedKeyUsage=${spec.usage ?? 'serverAuth,clientAuth'}`];
  if (spec.names !== undefined) extensions.push(`subjectAltName=${spec.names}`);
  writeFileSync(join(folder, `${name}.ext`), extensions.join('\n'));
  const request = `${name}.csr`;
  openssl(folder, 'req', '-new', '-key', `${name}-key.pem`, '-subj', spec.subject, '-out', request);
  const signer = spec.selfSigned === true ? ['-signkey', `${name}-key.pem`] : ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial'];
  openssl(folder, 'x509', '-req', '-in', request, ...signer, '-days', '30', '-extfile', `${name}.ext`, '-out', `${name}.pem`);
}

/** The folder with ca.pem and every pair of {@link CERTIFICATES}; made at the first call, removed with the process. */
export function certificateFolder(): string {
  if (made !== undefined && existsSync(made)) return made;
  const folder = temporaryFolder('certificates');
  makeAuthority(folder);
  for (const [name, spec] of Object.entries(CERTIFICATES)) makeCertificate(folder, name, spec);
  made = folder;
  return folder;
}

/** Lower-case hex SHA-256 of a certificate's public key (DER SubjectPublicKeyInfo): what `pinned_certs` lists. */
export function publicKeyPin(folder: string, name: string): string {
  const certificate = new X509Certificate(readFileSync(join(folder, `${name}.pem`)));
  return createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('hex');
}
