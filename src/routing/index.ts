/** Routing: subjects, who wants them, what they become. Knows nothing of sockets. */
export { distribute, seedDistribution } from "./distribute.ts";
export { HASH_START, HASH_STEP, Interest } from "./interest.ts";
export type { InterestObserver, InterestStats, MatchResult, SubjectEntry } from "./interest.ts";
export { SubjectMapper } from "./mapping.ts";
export type { Mapping } from "./mapping.ts";
export { Message } from "./message.ts";
export { hasNoEmptyToken, hasWildcard, intersectionOf, isSubsetOf, isValidConfiguredSubject, isValidLiteralSubject, isValidSubject, subjectMatches, subjectsOverlap, tokenCount } from "./subject.ts";
export { Delivery, Subscription } from "./subscription.ts";
export type { MessageTrace, StreamTrace, TraceOutcome } from "./messagetrace.ts";
export type { ClientDetails, SeenSubject, Subscriber } from "./subscription.ts";
export { SubjectTransform, TransformError } from "./transform.ts";
