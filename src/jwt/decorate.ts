/** Tokens and seeds in files: blocks between lines of dashes, as `nsc` writes them. Spec: accounts and authentication, section 6.1. */

const BLOCK = /(?:^|\n)-{3,}[^\n]*-{3,}\r?\n([\w.\-=\s]+?)\r?\n-{3,}[^\n]*-{3,}(?:\r?\n|$)/g;

/** The token of a file: the first decorated block, or all of a file that is bare. */
export function tokenOfFile(text: string): string {
  return blocksOf(text)[0] ?? text.trim();
}

/** Token and seed of a creds file; undefined when it lacks one of them. */
export function parseCreds(text: string): { readonly token: string; readonly seed: string } | undefined {
  const [token, seed] = blocksOf(text);
  return token === undefined || seed === undefined ? undefined : { token, seed };
}

/** A creds file as tools and clients read it. */
export function formatCreds(token: string, seed: string): string {
  return [
    "-----BEGIN NATS USER JWT-----",
    token,
    "------END NATS USER JWT------",
    "",
    "************************* IMPORTANT *************************",
    "NKEY Seed printed below can be used to sign and prove identity.",
    "NKEYs are sensitive and should be treated as secrets.",
    "",
    "-----BEGIN USER NKEY SEED-----",
    seed,
    "------END USER NKEY SEED------",
    "",
    "*************************************************************",
    "",
  ].join("\n");
}

function blocksOf(text: string): readonly string[] {
  return [...text.matchAll(BLOCK)].map(([, block]) => block.trim());
}
