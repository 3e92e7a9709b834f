/** Certificates, keys and roots from PEM files, checked to belong together, with the error texts operators know. */
import type { KeyObject, X509Certificate } from "node:crypto";
import { nodeCrypto } from "../util/builtin.ts";
import { type Disk, DiskError } from "../platform/index.ts";
import type { CertificatePair } from "./options.ts";

/** A certificate, key or root file that cannot be used; the message is the whole text. */
export class TlsFileError extends Error {}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

interface PemBlock {
  readonly type: string;
  readonly pem: string;
}

function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([pem, type]) => ({ type, pem }));
}

/** Reads a pair and checks that the key is the certificate's. `which` is a place in a list, such as ` 1/2`. */
export function readCertificatePair(disk: Disk, certFile: string, keyFile: string, which: string): CertificatePair {
  try {
    const certPem = readText(disk, certFile);
    const keyPem = readText(disk, keyFile);
    checkPair(certPem, keyPem);
    return { certFile, keyFile, certPem, keyPem };
  } catch (error) {
    if (!(error instanceof TlsFileError) && !(error instanceof DiskError)) throw error;
    throw new TlsFileError(`error parsing X509 certificate/key pair${which}: ${error.message}`);
  }
}

/** PEM text of a root file. An unreadable file is a `DiskError`. */
export function readRoots(disk: Disk, caFile: string): string {
  const pem = readText(disk, caFile);
  const usable = pemBlocks(pem).some(({ type, pem: each }) => type === "CERTIFICATE" && parseCertificate(each) !== undefined);
  if (!usable) throw new TlsFileError("failed to parse root ca certificate");
  return pem;
}

function readText(disk: Disk, path: string): string {
  return new TextDecoder().decode(disk.readFile(path));
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new (nodeCrypto().X509Certificate)(pem);
  } catch {
    return undefined;
  }
}

function checkPair(certPem: string, keyPem: string): void {
  const certBlocks = pemBlocks(certPem);
  if (certBlocks.length === 0) throw new TlsFileError("tls: failed to find any PEM data in certificate input");
  const leaf = certBlocks.find(({ type }) => type === "CERTIFICATE");
  if (leaf === undefined) {
    if (certBlocks.length === 1 && certBlocks[0].type.endsWith("PRIVATE KEY")) {
      throw new TlsFileError(
        "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched",
      );
    }
    throw new TlsFileError(`tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${certBlocks.map(({ type }) => type).join(" ")}]`);
  }
  const keyBlocks = pemBlocks(keyPem);
  if (keyBlocks.length === 0) throw new TlsFileError("tls: failed to find any PEM data in key input");
  const key = keyBlocks.find(({ type }) => type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY"));
  if (key === undefined) {
    if (keyBlocks.length === 1 && keyBlocks[0].type === "CERTIFICATE") {
      throw new TlsFileError("tls: found a certificate rather than a key in the PEM for the private key");
    }
    throw new TlsFileError(`tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${keyBlocks.map(({ type }) => type).join(" ")}]`);
  }
  const certificate = parseCertificate(leaf.pem);
  if (certificate === undefined) throw new TlsFileError("x509: malformed certificate");
  checkMatch(certificate, parseKey(key.pem));
}

function parseKey(pem: string): KeyObject {
  try {
    return nodeCrypto().createPrivateKey(pem);
  } catch {
    throw new TlsFileError("tls: failed to parse private key");
  }
}

function checkMatch(certificate: X509Certificate, key: KeyObject): void {
  if (certificate.publicKey.asymmetricKeyType !== key.asymmetricKeyType) {
    throw new TlsFileError("tls: private key type does not match public key type");
  }
  if (!certificate.checkPrivateKey(key)) throw new TlsFileError("tls: private key does not match public key");
}
