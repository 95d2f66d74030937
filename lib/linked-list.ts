/** One of those who wait, and who stand before and behind it. */
export interface InLine<One> {
  before: One | undefined;
  behind: One | undefined;
}

/**
 * Those who wait, in the order in which they came. The first is found at once: a Set or a Map walks over all that was
 * deleted from its front.
 */
export class WaitingLine<One extends InLine<One>> {
  #first: One | undefined;
  #last: One | undefined;

  get first(): One | undefined {
    return this.#first;
  }
  get last(): One | undefined {
    return this.#last;
  }

  add(one: One): void {
    one.before = this.#last;
    one.behind = undefined;
    if (this.#last === undefined) this.#first = one;
    else this.#last.behind = one;
    this.#last = one;
  }

  /** Nothing happens if it does not stand here any more. */
  delete(one: One): void {
    const { before, behind } = one;
    if (before === undefined && this.#first !== one) return;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    one.before = undefined;
    one.behind = undefined;
  }
}
