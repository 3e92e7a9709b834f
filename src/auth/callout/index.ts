/** Logins decided by a service that runs as a client. */
export { CalloutAuthenticator, type CalloutHost } from "./authenticator.ts";
