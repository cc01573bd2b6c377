/** What JSON in the body is read for. */
export const POST_ONLY: readonly string[] = ['POST'];

/** The answer to a method that an ingress of the library does not take; its document lists the ones that it does. */
export function methodNotAllowed(allowed: readonly string[]): Response {
  return new Response(null, { status: 405, headers: { allow: allowed.join(', ') } });
}
