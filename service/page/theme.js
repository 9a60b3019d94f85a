/* Light, dark, or as the system has it. */

const KEY = "dysk-theme";
const CHOICES = ["system", "light", "dark"];

/** Let `button` go through the choices, and take up the last one. */
export function startTheme(button) {
  let chosen = localStorage.getItem(KEY) ?? "system";
  const show = () => {
    if (chosen === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    button.textContent = `Theme: ${chosen}`;
  };
  button.addEventListener("click", () => {
    chosen = CHOICES[(CHOICES.indexOf(chosen) + 1) % CHOICES.length];
    localStorage.setItem(KEY, chosen);
    show();
  });
  show();
}
