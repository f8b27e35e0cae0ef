"""What the apiserver did to an app's answer, undone: links, cookies, pages. All of it is pure."""
