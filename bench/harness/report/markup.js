/** HTML templates that escape their values. */

/** Text that is markup already. */
export class Markup {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/** @typedef {string | number | Markup | undefined} Single */
/** @typedef {Single | Array<Single | Single[]>} Part */

/**
 * Returns the markup of a template. Values are escaped, unless they are markup; arrays are joined; undefined adds
 * nothing.
 * @param {TemplateStringsArray} strings
 * @param {Part[]} parts
 */
export function html(strings, ...parts) {
  return new Markup(strings.reduce((text, string, index) => text + textOf(parts[index - 1]) + string));
}

/** @param {Part} part @returns {string} */
function textOf(part) {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (Array.isArray(part)) return part.map(textOf).join('');
  return String(part).replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
