/** Why a body is no good, in the reference's words: what follows `invalid JSON: ` in error 10025, and `Bad Request - ` in answers to pull requests. */
export class JsonError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "JsonError";
  }
}
