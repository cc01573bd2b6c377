declare const PROBLEM: unique symbol;

/** A type error in words: no value has this type, and the compiler shows the name and the text of its subtype. */
export interface TypeProblem<Text extends string> {
  readonly [PROBLEM]: Text;
}
