throw new Error("later");
