// @rails/actioncable for pages that drive it by hand.
import { createConsumer } from "@rails/actioncable";

window.createConsumer = createConsumer;
