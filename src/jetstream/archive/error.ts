/** Why an archive is no good; the text follows `restore failed: `. */
export class ArchiveError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ArchiveError";
  }
}
