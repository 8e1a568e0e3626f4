// Units in detail: sorted as one likes, and walked through by key. Without this they are there all the same, by number.
'use strict';
for (const section of document.querySelectorAll('.unit-details')) {
  const order = section.querySelector('.order');
  order.hidden = false;
  order.querySelector('select').addEventListener('change', event => {
    const key = event.target.value;
    // Largest first, but for numbers; what has no value comes last.
    const value = unit => Number(unit.dataset[key] || -Infinity);
    const number = unit => Number(unit.dataset.number);
    for (const units of section.querySelectorAll('.units')) {
      const sorted = [...units.children].sort((a, b) =>
        (key === 'number' ? 0 : value(b) - value(a) || 0) || number(a) - number(b));
      units.append(...sorted);
    }
  });
  section.addEventListener('keydown', event => {
    const open = section.querySelector('.unit[open]');
    if (event.key === 'Escape' && open) {
      open.open = false;
      open.querySelector('summary').focus();
      return;
    }
    const unit = event.target.matches('.unit > summary') && event.target.parentElement;
    if (!unit || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = neighbour(unit, event.key);
    if (!next) return;
    event.preventDefault();
    // An open detail goes along.
    if (unit.open) next.open = true;
    next.querySelector('summary').focus();
  });
}

// The unit that an arrow key leads to; above and below are those nearest in place.
function neighbour(unit, key) {
  const all = [...unit.parentElement.children];
  const at = all.indexOf(unit);
  switch (key) {
    case 'ArrowLeft': return all[at - 1];
    case 'ArrowRight': return all[at + 1];
    case 'Home': return all[0];
    case 'End': return all[all.length - 1];
    case 'ArrowUp': case 'ArrowDown': break;
    default: return undefined;
  }
  const place = of => of.querySelector('summary').getBoundingClientRect();
  const here = place(unit);
  let best, least = Infinity;
  for (const other of all) {
    const there = place(other);
    const down = (there.top - here.top) * (key === 'ArrowDown' ? 1 : -1);
    const distance = down * 4 + Math.abs(there.left - here.left);
    if (down > 8 && distance < least) { best = other; least = distance; }
  }
  return best;
}
