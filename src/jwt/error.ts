/** Why a token is not what it should be; the message is the whole reason. */
export class JwtError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "JwtError";
  }
}
