// @ts-check

/**
 * @typedef {object} Standing
 * @property {number} answered
 * @property {number} total
 * @property {number} admitted
 */

const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 2_000;
const BAR_WIDTH_MAX = 40;
const CLEAR_LINE = '\r\x1b[2K';

/**
 * Shows the progress of the load: a bar that is redrawn on a terminal, otherwise a line every two seconds.
 * @param {NodeJS.WriteStream} stream
 * @param {() => Standing} standing
 * @returns {() => void} draws the final state and stops
 */
export function showProgress(stream, standing) {
  const startedAt = performance.now();
  const draw = () => {
    const seconds = (performance.now() - startedAt) / 1_000;
    const now = standing();
    stream.write(stream.isTTY ? CLEAR_LINE + bar(now, seconds, stream.columns) : `${line(now, seconds)}\n`);
  };
  const timer = setInterval(draw, stream.isTTY ? BAR_EVERY_MS : LINE_EVERY_MS);
  return () => {
    clearInterval(timer);
    draw();
    if (stream.isTTY) stream.write('\n');
  };
}

/**
 * @param {Standing} standing
 * @param {number} seconds
 * @param {number} columns
 */
export function bar(standing, seconds, columns) {
  const share = Math.min(1, standing.answered / standing.total);
  const text = ` ${line(standing, seconds)}`;
  const width = Math.min(BAR_WIDTH_MAX, columns - text.length - 1);
  if (width < 4) return text.slice(1, columns);
  const full = Math.round(share * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}${text}`;
}

/**
 * @param {Standing} standing
 * @param {number} seconds
 */
export function line({ answered, total, admitted }, seconds) {
  const percent = Math.floor((100 * answered) / total);
  const rate = Math.round(answered / seconds);
  return `${percent} %  ${grouped(answered)} of ${grouped(total)} requests, ${grouped(rate)}/s, ${grouped(admitted)} admitted`;
}

/** @param {number} figure */
function grouped(figure) {
  return figure.toLocaleString('en-US');
}
