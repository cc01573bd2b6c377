/** The number of copies at a moment to which `restore` can go back. */
export interface CopiesState {
  readonly whole: number;
  readonly inErrors: number;
}

/**
 * The copies in one captured message, so that an object that occurs twice arrives as one object. The first container is kept
 * in two fields: most arguments are one flat object, which needs no map.
 */
export class Copies {
  #root: object | undefined = undefined;
  #rootCopy: unknown = undefined;
  #whole: Map<object, unknown> | undefined = undefined;
  /** Copies of containers inside errors, which may lack parts. */
  #inErrors: Map<object, unknown> | undefined = undefined;
  #hasLost = false;

  reset(): void {
    this.#root = undefined;
    this.#rootCopy = undefined;
    this.#whole = undefined;
    this.#inErrors = undefined;
    this.#hasLost = false;
  }

  /** @param isInError whether a copy that lacks parts is acceptable */
  of(value: object, isInError: boolean): unknown {
    if (value === this.#root) return this.#rootCopy;
    const whole = this.#whole?.get(value);
    if (whole !== undefined || this.#inErrors === undefined) return whole;
    return isInError || !this.#hasLost ? this.#inErrors.get(value) : undefined;
  }

  add(value: object, copy: unknown): void {
    if (this.#root === undefined) {
      this.#root = value;
      this.#rootCopy = copy;
    } else {
      this.#whole ??= new Map();
      this.#whole.set(value, copy);
    }
  }

  addInError(value: object, copy: object): void {
    this.#inErrors ??= new Map();
    this.#inErrors.set(value, copy);
  }

  /** Notes that a container inside an error lacks a part. */
  lost(): void {
    this.#hasLost = true;
  }

  get state(): CopiesState {
    return { whole: this.#whole?.size ?? 0, inErrors: this.#inErrors?.size ?? 0 };
  }

  /** Forgets the copies that were added since `state` was read. */
  restore({ whole, inErrors }: CopiesState): void {
    forgetFrom(this.#whole, whole);
    forgetFrom(this.#inErrors, inErrors);
  }
}

/** Deletes the newest entries: a map iterates in the order in which it was filled. */
function forgetFrom(copies: Map<object, unknown> | undefined, size: number): void {
  if (copies === undefined || copies.size <= size) return;
  let index = 0;
  for (const key of copies.keys()) if (index++ >= size) copies.delete(key);
}
