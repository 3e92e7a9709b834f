/** Consumers: who gets what of a stream, and what came back. */
export { normaliseConsumerConfig } from "./config.ts";
export { Consumer } from "./consumer.ts";
export { type Action, Consumers } from "./consumers.ts";
export { filtersOf } from "./effective.ts";
export { consumerInfo } from "./info.ts";
export { inUtc, ZERO_TIME } from "./pause.ts";
export { consumersOf, handlePull, headerValue, openAckRoads } from "./roads.ts";
export { type ConsumerRequest, consumerRequestShape } from "./shape.ts";
export { isValidGroupName } from "./validate.ts";
