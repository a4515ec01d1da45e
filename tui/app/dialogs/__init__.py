"""What covers the panes for a moment: plan and confirm, forms, prompts, menus, help, palette."""
