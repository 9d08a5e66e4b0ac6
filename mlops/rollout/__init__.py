"""How a challenger takes the champion's place without hurting anyone: shadow, canary, stop rules, rollback."""
