/** Configuration: from command line and file to checked, typed options, and from two sets of options to what a reload changes. */
export type { Command, Flags } from "./flags.ts";
export { helpText, NO_FLAGS, parseCommand, redactArguments } from "./flags.ts";
export { tlsHelpText } from "./tlshelp.ts";
export type { LoadInput, LoadResult } from "./load.ts";
export { loadOptions } from "./load.ts";
export type * from "./options.ts";
export type { ReloadChange, ReloadDiff } from "./reload.ts";
export { diffOptions } from "./reload.ts";
export { INSECURE_CIPHER_SUITES, SECURE_CIPHER_SUITES } from "./schema/tls.ts";
export { hasJetStream, isOperatorMode, withDomain } from "./build.ts";
export { validate } from "./validate.ts";
export type { ExchangeParty, ImportRoute, ImportStep } from "./exchange.ts";
export { cycleProblem, exchangeProblems, exportFor, routeOf } from "./exchange.ts";
