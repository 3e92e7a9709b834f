/** Where account tokens are kept, and how they are handed around: folders, URLs, the requests of the system account. */
export { ClaimsService, type ClaimsHost, type ClaimsReply, type TokenStore } from "./claims.ts";
export { DirectoryError, type DirectoryOptions, TokenDirectory, type TokenFacts } from "./directory.ts";
export { type Peers, StoredResolver } from "./stored.ts";
export { UrlResolver } from "./url.ts";
