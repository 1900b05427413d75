// Runs before the first paint, therefore a classic script in the head: says that scripts work, and sets the theme that
// the reader chose. Without a choice the system's is used.
(() => {
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');
  const KEY = 'theme';

  const chosen = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage can be forbidden
    }
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);
  const label = () => {
    for (const button of document.querySelectorAll('[data-theme-toggle]')) {
      button.setAttribute('aria-label', isDark() ? 'Use the light theme' : 'Use the dark theme');
    }
  };

  root.dataset.js = '';
  const theme = chosen();
  if (theme === 'dark' || theme === 'light') root.dataset.theme = theme;

  document.addEventListener('DOMContentLoaded', label);
  system.addEventListener('change', label);
  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-theme-toggle]')) return;
    root.dataset.theme = isDark() ? 'light' : 'dark';
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // The theme then holds for this page only.
    }
    label();
  });
})();
