/**
 * A certificate authority and a server certificate for 127.0.0.1, made with openssl for one run of the benchmark.
 */
import { join } from "node:path";
import type { Certificates } from "./servers.ts";

function openssl(...args: string[]): void {
  const { success, stderr } = Bun.spawnSync(["openssl", ...args]);
  if (!success) throw new Error(`openssl ${args[0]} failed: ${stderr.toString().trim()}`);
}

/** Writes the files into `directory`. Throws if openssl is missing or fails. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const file = (name: string): string => join(directory, name);
  const [caFile, caKey, certFile, keyFile, request, extensions] =
    ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "server.csr", "server.ext"].map(file);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await Bun.write(extensions, "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  openssl("req", "-x509", ...newKey, "-keyout", caKey, "-out", caFile, "-days", "2", "-subj", "/CN=bench authority");
  openssl("req", ...newKey, "-keyout", keyFile, "-out", request, "-subj", "/CN=localhost");
  openssl("x509", "-req", "-in", request, "-CA", caFile, "-CAkey", caKey, "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certFile);
  return { caFile, certFile, keyFile };
}
