/** The method of requests whose JSON body is read. */
export const POST_ONLY: readonly string[] = ['POST'];

/** The answer to a method that an ingress of the library does not support; its document lists the supported ones. */
export function methodNotAllowed(allowed: readonly string[]): Response {
  return new Response(null, { status: 405, headers: { allow: allowed.join(', ') } });
}
