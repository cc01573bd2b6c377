/**
 * SHA-256 of a text, in hexadecimal. The module is loaded at first use: most replicas never need it, and every one would
 * pay for it.
 */
export function sha256(text: string): string {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest('hex');
}
