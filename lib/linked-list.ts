/** An element of a `LinkedList`, with its neighbours there. */
export interface Linked<Element> {
  previous: Element | undefined;
  next: Element | undefined;
}

/**
 * A doubly linked list, in the order in which its elements were added. `first` takes constant time, however many
 * elements were deleted before. A Set or a Map would skip deleted elements one by one.
 */
export class LinkedList<Element extends Linked<Element>> {
  #first: Element | undefined;
  #last: Element | undefined;

  get first(): Element | undefined {
    return this.#first;
  }
  get last(): Element | undefined {
    return this.#last;
  }

  add(element: Element): void {
    element.previous = this.#last;
    element.next = undefined;
    if (this.#last === undefined) this.#first = element;
    else this.#last.next = element;
    this.#last = element;
  }

  /** Deletes an element, unless it was deleted before. */
  delete(element: Element): void {
    const { previous, next } = element;
    if (previous === undefined && this.#first !== element) return;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    element.previous = undefined;
    element.next = undefined;
  }
}
