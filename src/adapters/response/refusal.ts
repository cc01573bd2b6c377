/** Headers that HTTP requires for the status of a refusal. */
export type RefusalHeaders = Readonly<Record<string, string>>;

/** The error of a request that is refused before it reaches an app. The client sees its status, message and headers. */
export class Refusal extends Error {
  readonly statusCode: number;
  readonly expose = true;
  readonly code: string;
  readonly headers: RefusalHeaders;

  constructor(statusCode: number, code: string, message: string, headers: RefusalHeaders = {}) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.headers = headers;
  }
}
