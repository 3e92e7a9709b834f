/** Operator mode: accounts and users that come as signed tokens. */
export { accountOptions, firstActivationEnd } from "./accountoptions.ts";
export { OperatorAuthenticator } from "./authenticator.ts";
export { AccountBook, type Loaded } from "./book.ts";
export { permissionsOf, review, scopeText } from "./identity.ts";
export { isRevoked } from "./login.ts";
export { loginEndS, timeLeftS } from "./times.ts";
export { MemoryResolver, type Resolver, ResolverError } from "./resolver.ts";
export { Trust } from "./trust.ts";
