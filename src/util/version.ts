/** Who this server says it is. */
import { version } from "../../package.json";

/** The server version whose behaviour this one has; what INFO, varz and `--version` show first, and what clients compare features with. */
export const VERSION = "2.15.1";

/** The name of this implementation, beside the compatible one. */
export const OWN_NAME = "nats-bun";

/** The version of this implementation; the build embeds it from `package.json`. */
export const OWN_VERSION: string = version;
