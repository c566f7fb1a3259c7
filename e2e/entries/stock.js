// The stock client and nothing else: it exposes window.Turbo by itself.
import "@hotwired/turbo-rails";
