/** A sum of numbers with what rounding cost kept beside (Neumaier, 1974), so that they may come in any order. */
export class FloatSum {
  #sum = 0;
  #lost = 0;

  get value(): number {
    return this.#sum + this.#lost;
  }

  /** The value if these were added, too. */
  valueWith(...numbers: readonly number[]): number {
    const sum = new FloatSum();
    for (const number of [this.#sum, this.#lost, ...numbers]) sum.add(number);
    return sum.value;
  }

  add(number: number): void {
    const sum = this.#sum + number;
    const larger = Math.abs(this.#sum) >= Math.abs(number);
    this.#lost += larger ? this.#sum - sum + number : number - sum + this.#sum;
    this.#sum = sum;
  }
}
