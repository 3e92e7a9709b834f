/** The transforms of one mirror or source, which also filter at the origin. */
import { SubjectTransform } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import type { Random } from "../../platform/index.ts";
import type { SubjectTransformConfig } from "../wire.ts";

export class SourceSubjects {
  /** An empty destination changes nothing. */
  readonly #transforms: readonly SubjectTransform[];

  constructor(
    configs: readonly SubjectTransformConfig[] | undefined,
    private readonly random: Random,
  ) {
    this.#transforms = (configs ?? []).filter(({ dest }) => dest !== "").map(({ src, dest }) => SubjectTransform.compile(toByteString(src), toByteString(dest)));
  }

  /** What the message is stored as; byte strings. */
  apply(subject: string): string {
    for (const transform of this.#transforms) {
      if (transform.matches(subject)) return transform.apply(subject, (below) => this.random.integer(below));
    }
    return subject;
  }
}
