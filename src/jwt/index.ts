/** Tokens of decentralized authentication: read with their signature checked, judged, and written. Knows no server. */
export { type AccountClaims, type AccountLimits, allowsJetStream, decodeAccount, type JetStreamClaims, type MappingClaims, temporaryAccount, validateAccount } from "./account.ts";
export { type ActivationClaims, decodeActivation } from "./activation.ts";
export { type AuthorizationResponse, decodeAuthorizationResponse, encodeAuthorizationRequest, REQUEST_AUDIENCE, validateAuthorizationResponse } from "./authorization.ts";
export { contains, type Network, parseCidr } from "./cidr.ts";
export { type ClaimType, decodeToken, encodeToken, type NewClaims, type StandardClaims } from "./codec.ts";
export { formatCreds, parseCreds, tokenOfFile } from "./decorate.ts";
export { JwtError } from "./error.ts";
export type { ExchangeKind, ExportClaims, ImportClaims, Read } from "./exchange.ts";
export type { Issue, Issues } from "./issues.ts";
export { decodeOperator, type OperatorClaims, validateOperator } from "./operator.ts";
export { shownClaims } from "./show.ts";
export { applyTemplate } from "./template.ts";
export { decodeUser, hasNoLimits, hasPermissions, type PermissionClaims, type TimeRange, type UserClaims, type UserLimits, validateUser } from "./user.ts";
