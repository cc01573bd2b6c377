/** `true` if the types are the same, `any` and `unknown` told apart. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

export type Expect<T extends true> = T;

/** What `remote()` of a handle's member takes and gives. */
export type Takes<M extends { remote(...args: never): unknown }> = M extends {
  remote(...args: infer P): unknown;
}
  ? P
  : never;
export type Gives<M extends { remote(...args: never): unknown }> = M extends {
  remote(...args: never): infer R;
}
  ? R
  : never;
