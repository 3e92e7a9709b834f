/** Who is this, and what may they do. */
export { Permissions } from "./permissions.ts";
export type { Authenticator, AuthRequest, AuthResult, Identity } from "./types.ts";
