/** Who is this, and what may they do. */
export { ConfiguredAuthenticator } from "./authenticator.ts";
export { defaultTimeoutMs } from "./presented.ts";
export { isBcrypt } from "./password.ts";
export { Permissions } from "./permissions.ts";
export type { Authenticator, AuthRequest, AuthResult, Identity, TokenIdentity } from "./types.ts";
export { certificateNames } from "./certificate.ts";
export { nameText } from "./distinguishedname.ts";
